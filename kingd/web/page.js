// The status page of kingctl serve, live: docs/page.md. What comes from other hosts is put in as text, never as HTML.
"use strict";
const MISSED_MAX = 2; // so many `now` that do not come are "no data"
const ROW = 30, LABEL = 120, FOOT = 22; // of the timeline, in its units
const SVG = "http://www.w3.org/2000/svg";
const get = (id) => document.getElementById(id);
const page = { now: null, story: null, heardMs: Date.now(), everyMs: 5000, title: document.title, waitMs: 1000, skewMs: 0 };

function put(parent, name, text, attributes = {}) {
  const element = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

function say(id, text) { // only what changed: a screen reader says it again else
  const element = get(id);
  element.hidden = !text;
  if (element.textContent !== text) element.textContent = text;
}

const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
const moment = (ms) => new Date(ms).toISOString().slice(0, 23).replace("T", " ");

function age(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60000);
  if (minutes < 60) return `${minutes} min ${Math.floor(ms / 1000) % 60} s`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d`;
}

// -- what is now

function headline(now) {
  const status = now.status;
  if (!status) return "Not known: kingd does not answer";
  if (!status.leader) return `Who leads is not known (${status.reason})`;
  return `${status.leader.name} leads cluster ${status.cluster}, term ${status.term}`;
}

function showNow(now) {
  const title = headline(now);
  if (title !== page.title) say("said", title);
  page.title = title;
  say("title", title);
  const status = now.status;
  const since = status && status.since ? `; since ${status.since.slice(0, 19).replace("T", " ")} (${status.reason})` : "";
  say("who", status ? `So says kingd on ${status.node.name} at ${clock(now.at_ms)} UTC${since}; ${status.mode} mode.` : `At ${clock(now.at_ms)} UTC.`);
  showProblems(now);
  if (status) showMembers(now);
}

function showProblems(now) {
  const found = now.status ? now.status.problems.slice() : [];
  for (const each of now.status ? now.status.strangers : []) found.push(`${each.address} does not belong here: ${each.why}`);
  const place = get("problems"), text = found.join("\n");
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  place.replaceChildren();
  if (!found.length) return;
  put(place, "h2", `Problems of ${now.status.node.name}`);
  const list = put(place, "ul", null);
  for (const each of found) put(list, "li", each);
}

function showMembers(now) {
  const views = new Map(((now.survey || {}).nodes || []).map((view) => [view.id, view]));
  const usual = most([...views.values()].filter((view) => view.ok).map((view) => `${view.leader}`));
  const body = document.createElement("tbody");
  for (const member of now.members) {
    const row = put(body, "tr", null, { class: `${member.role} ${member.state}` });
    const name = member.name + (member.id === now.status.node.id ? " (this host)" : "");
    put(row, "th", name, { scope: "row" });
    cell(row, "Priority", member.priority, "number");
    cell(row, "Role", member.role);
    cell(row, "State", member.state);
    cell(row, "May lead", member.eligible ? "yes" : `no: ${member.ineligible_reason || "it does not say why"}`);
    cell(row, "Last heard", member.last_heard_ms === null ? "-" : `${age(member.last_heard_ms)} ago`);
    showView(row, views.get(member.id), usual);
    cell(row, "Address", member.address || "-");
    cell(row, "Version", member.version || "-");
  }
  get("rows").replaceWith(body);
  body.id = "rows";
  say("verdict", verdict(now, views));
  get("verdict").className = now.survey && !now.survey.agree ? "differs" : "soft";
}

function showView(row, view, usual) {
  if (!view) return cell(row, "Follows", "not asked yet");
  if (!view.ok) return cell(row, "Follows", view.leader ? `no answer, and says that ${view.leader} leads` : "no answer", view.leader ? "differs" : "");
  const says = `${view.leader || "nobody"}, term ${view.term}`;
  return `${view.leader}` === usual ? cell(row, "Follows", says) : cell(row, "Follows", `≠ ${says}: differs`, "differs");
}

function verdict(now, views) {
  if (!views.size) return "";
  const asked = `Asked at ${clock(now.surveyed_ms)} UTC`;
  const alive = [...views.values()].filter((view) => view.ok);
  if (now.survey.agree) return `${asked}: ${alive.length} alive, and all of them follow the same leader.`;
  const said = [...new Set(alive.map((view) => view.leader || "nobody"))].join(", ");
  return `${asked}: the views differ. ${alive.length} alive; they follow ${said}.`;
}

function most(values) {
  const counts = new Map();
  for (const each of values) counts.set(each, (counts.get(each) || 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]).map(([value]) => value)[0];
}

function cell(row, name, value, kind = "") {
  put(row, "td", value, kind ? { "data-name": name, class: kind } : { "data-name": name });
}

// -- what has been

function showStory(story) {
  get("past").hidden = false;
  say("missing", story.silent.length ? `No answer, so that its part is missing: ${story.silent.join(", ")}` : "");
  const body = document.createElement("tbody");
  for (const each of story.passages) {
    const row = put(body, "tr", null, each.kind === "overlap-resolved" ? { class: "differs" } : {});
    put(put(row, "td", null, { "data-name": "Time" }), "time", moment(each.at_ms), { datetime: new Date(each.at_ms).toISOString() });
    cell(row, "Term", each.term, "number");
    cell(row, "What", each.what);
    cell(row, "Why", each.reason);
    cell(row, "Evidence", each.evidence || "-");
    cell(row, "Seen by", each.seen);
  }
  get("passages").replaceWith(body);
  body.id = "passages";
  drawBars();
}

function drawBars() {
  const story = page.story;
  if (!story) return;
  const place = get("bars"), width = Math.max(280, place.clientWidth - 26), endMs = Date.now() + page.skewMs;
  const spanMs = 1000 * Number(document.querySelector("input[name=span]:checked").value);
  const first = Math.min(endMs - 60000, ...story.reigns.map((reign) => reign.from_ms));
  const beginMs = spanMs ? endMs - spanMs : first;
  const shown = story.reigns.filter((reign) => (reign.to_ms || endMs) > beginMs);
  const names = [...new Set(shown.map((reign) => reign.leader))].sort(), label = Math.min(LABEL, width / 4);
  const at = (ms) => label + (width - label) * Math.max(0, ms - beginMs) / (endMs - beginMs);
  const height = ROW * Math.max(1, names.length) + FOOT;
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-labelledby": "bars-said" })) svg.setAttribute(key, value);
  const hatch = put(put(svg, "svg:defs", null), "svg:pattern", null, { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  put(hatch, "svg:line", null, { x1: 0, y1: 0, x2: 0, y2: 8, class: "hatch" });
  names.forEach((name, row) => {
    put(svg, "svg:text", name.length > 14 ? `${name.slice(0, 13)}…` : name, { x: 0, y: row * ROW + 20 });
    put(svg, "svg:line", null, { x1: label, x2: width, y1: row * ROW + ROW - 1, y2: row * ROW + ROW - 1, class: "grid" });
  });
  for (const reign of shown) {
    const x = at(reign.from_ms), bar = { x, y: names.indexOf(reign.leader) * ROW + 5, width: Math.max(2, at(reign.to_ms || endMs) - x), height: ROW - 10, rx: 2, class: "reign" };
    put(put(svg, "svg:rect", null, bar), "svg:title", `${reign.leader}, term ${reign.term}: ${moment(reign.from_ms)} to ${reign.to_ms ? moment(reign.to_ms) : "now"}`);
  }
  for (const [from, to] of story.overlaps.filter((overlap) => overlap[1] > beginMs)) {
    put(svg, "svg:rect", null, { x: at(from), y: 0, width: Math.max(3, at(to) - at(from)), height: height - FOOT, class: "overlap" });
  }
  put(svg, "svg:text", clock(beginMs), { x: label, y: height - 4 });
  put(svg, "svg:text", `${clock(endMs)} UTC`, { x: width, y: height - 4, "text-anchor": "end" });
  place.replaceChildren(svg);
  say("bars-said", summary(shown, story.overlaps.filter((overlap) => overlap[1] > beginMs), endMs));
}

function summary(shown, overlaps, endMs) {
  const parts = shown.slice(-6).map((reign) => `${reign.leader} (term ${reign.term}) for ${age((reign.to_ms || endMs) - reign.from_ms)}`);
  const earlier = shown.length > 6 ? `${shown.length - 6} earlier ones; ` : "";
  const both = overlaps.map(([from, to]) => `two at one time from ${clock(from)} for ${age(to - from)}`).join(", ");
  return (shown.length ? `Led: ${earlier}${parts.join(", ")}.` : "Nobody led.") + (both ? ` Hatched: ${both}.` : "");
}

// -- whether it is so still

function judge() {
  const silentMs = Date.now() - page.heardMs, stale = silentMs > MISSED_MAX * page.everyMs;
  document.documentElement.classList.toggle("stale", stale || Boolean(page.now && page.now.error));
  const old = "What stands here may not be so any more.", error = page.now && page.now.error;
  say("stale", stale ? `No data since ${clock(page.heardMs + page.skewMs)} UTC. ${old}` : error ? `${error}. ${old}` : "");
  const title = stale ? `(no data) ${page.title}` : page.title;
  if (document.title !== title) document.title = title;
}

function hear(kind, event) {
  page.heardMs = Date.now();
  page.waitMs = 1000;
  page[kind] = JSON.parse(event.data);
  page.skewMs = page[kind].at_ms - page.heardMs;
  if (kind === "now") {
    page.everyMs = 1000 * page.now.every_s;
    showNow(page.now);
  } else {
    showStory(page.story);
  }
  judge();
}

function listen() {
  const source = new EventSource("/events");
  source.addEventListener("now", (event) => hear("now", event));
  source.addEventListener("story", (event) => hear("story", event));
  source.onerror = () => { // where it gave up, as when too many pages are open, the browser does not try again
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    page.waitMs = Math.min(2 * page.waitMs, 10000);
    setTimeout(listen, page.waitMs);
  };
}

for (const each of document.querySelectorAll("input[name=span]")) each.addEventListener("change", drawBars);
addEventListener("resize", drawBars);
setInterval(judge, 500);
setInterval(drawBars, 5000);
listen();
