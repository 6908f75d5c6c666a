-- Takes kingd's datagrams apart, in Wireshark and tshark 3.6 or newer. kingd-tools installs it where both find it. Elsewhere a
-- copy in ~/.local/lib/wireshark/plugins does.
--
-- Filters: kingd.type == 5, kingd.source == 0x0123456789abcdef, kingd.claim.term > 7, kingd.refused
--
-- What every daemon would refuse, whatever its configuration, has kingd.refused and a line of expert information. Not looked at
-- are the checksum, the signature, and which letters a name may have: kingctl decode does that.

-- tables: made by `python3 -m kingd.tools.dissector packaging/wireshark/kingd.lua` from kingd/core/wire/layout.py
local MAGIC = "Kg"
local PORT = 5466
local SIZE_MIN = 128
local SIZE_MAX = 1232
local VERSION_MAJOR = 1
local TEXT_SIZE_MAX = 64
local LEASE_MS_MAX = 120000
local HOLD_MS_MAX = 122430
local LEAST = {
    [1] = 304,
    [3] = 296,
    [13] = 296,
    [18] = 304,
    [20] = 1232,
}
local ROLES = {
    [0] = "joining",
    [1] = "follower",
    [2] = "seeking",
    [3] = "candidate",
    [4] = "leader",
}
local REASONS = {
    [0] = "joined",
    [1] = "higher-priority",
    [2] = "leader-timeout",
    [3] = "leader-crashed",
    [4] = "leader-left",
    [5] = "handover",
    [6] = "step-down",
    [7] = "preempted",
    [8] = "overlap-resolved",
    [9] = "quorum-lost",
    [10] = "isolated",
    [11] = "stalled",
    [12] = "check-failed",
    [13] = "maintenance",
    [14] = "priority-changed",
}
local INELIGIBLE = {
    [0] = "unsaid",
    [1] = "duplicate-id",
    [2] = "stopping",
    [3] = "maintenance",
    [4] = "priority-0",
    [5] = "step-down",
    [6] = "state-not-writable",
    [7] = "check-failed",
    [8] = "check-pending",
}
local WAYS = {
    [0] = "none",
    [1] = "mc4",
    [2] = "mc6",
    [3] = "bc4",
    [4] = "uc4",
    [5] = "uc6",
    [6] = "large4",
    [7] = "large6",
}
local TYPES = {
    [1] = "ANNOUNCE",
    [2] = "HEARTBEAT",
    [3] = "PROBE",
    [4] = "PROBE-ACK",
    [5] = "CLAIM",
    [6] = "GRANT",
    [7] = "REFUSE",
    [8] = "RESIGN",
    [9] = "PING",
    [10] = "PONG",
    [11] = "OFFER",
    [12] = "READY",
    [13] = "SURVEY",
    [14] = "REPORT",
    [15] = "OBITUARY",
    [16] = "ROSTER",
    [17] = "ACK",
    [18] = "TRIAL",
    [19] = "ECHO",
    [20] = "RECALL",
    [21] = "EVENTS",
}
local BITS = {
    flags = { "multicast" },
    mode = { "eligible", "recovering", "begun", "by_list" },
}
local MEANINGS = {
    ["oversized"] = "it is longer than any datagram of kingd",
    ["truncated"] = "it ends too early",
    ["magic"] = "it is no datagram of kingd: something else uses the port or the group",
    ["version"] = "it speaks another major version of the protocol",
    ["length"] = "its length is not the one that it states",
    ["type"] = "it is of a kind that this version does not know",
    ["header"] = "its header holds a value that does not exist",
    ["count"] = "it lists more than it may",
    ["reason"] = "it names a reason that this version does not know",
    ["lease"] = "it asks for a longer promise than anybody may ask for",
    ["way"] = "it names a way that this version does not know",
}
local HEADER = {
    { "magic", "magic" },
    { "version", "u8" },
    { "type", "u8" },
    { "flags", "bits16" },
    { "length", "u16" },
    { "cluster", "id" },
    { "source", "id" },
    { "destination", "id" },
    { "session", "id" },
    { "receiver", "id" },
    { "sequence", "u64" },
    { "leader_term", "u64" },
    { "leader_node", "id" },
    { "floor_term", "u64" },
    { "floor_node", "id" },
    { "priority", "u16" },
    { "list_number", "u16" },
    { "list_term", "u64" },
    { "voters", "digest" },
    { "wanted", "digest" },
    { "role", "role" },
    { "key", "u8" },
    { "mode", "bits8" },
    { "ineligible", "ineligible" },
}
local BODIES = {
    [1] = {
        path = "kingd.announce",
        fields = {
            { "interval_ms", "u32" },
            { "tags_count", "u8" },
            { "node_name", "text" },
            { "software", "text" },
        },
        part = { name = "tags", counted_by = "tags_count",
            most = 8, fields = {
                { "key", "text" },
                { "value", "text" },
            },
        },
    },
    [2] = {
        path = "kingd.heartbeat",
        fields = {
            { "interval_ms", "u32" },
            { "lonely", "flag" },
            { "alive", "u16" },
            { "lease_ms", "u32" },
        },
    },
    [3] = {
        path = "kingd.probe",
        fields = {
            { "nonce", "id" },
        },
    },
    [4] = {
        path = "kingd.probe_ack",
        fields = {
            { "echo", "id" },
            { "nonce", "id" },
            { "returns", "u8" },
            { "hold_ms", "u32" },
            { "node_name", "text" },
            { "software", "text" },
        },
    },
    [5] = {
        path = "kingd.claim",
        fields = {
            { "term", "u64" },
            { "attempt", "u32" },
            { "pre_vote", "flag" },
            { "reason", "reason" },
            { "lease_ms", "u32" },
            { "ticketed", "flag" },
        },
        part = { name = "ticket", counted_by = "ticketed",
            most = 1, fields = {
                { "ballot_term", "u64" },
                { "ballot_node", "id" },
                { "session", "id" },
                { "successor", "id" },
                { "successor_session", "id" },
            },
        },
    },
    [6] = {
        path = "kingd.grant",
        fields = {
            { "term", "u64" },
            { "attempt", "u32" },
            { "pre_vote", "flag" },
        },
    },
    [7] = {
        path = "kingd.refuse",
        fields = {
            { "term", "u64" },
            { "attempt", "u32" },
            { "pre_vote", "flag" },
            { "holder_term", "u64" },
            { "holder_node", "id" },
            { "holder_session", "id" },
            { "led", "flag" },
            { "remaining_ms", "u32" },
        },
    },
    [8] = {
        path = "kingd.resign",
        fields = {
            { "ballot_term", "u64" },
            { "ballot_node", "id" },
            { "successor", "id" },
            { "successor_session", "id" },
            { "reason", "reason" },
            { "leaving", "flag" },
        },
    },
    [9] = {
        path = "kingd.ping",
        fields = {
            { "nonce", "u32" },
            { "heard", "u64" },
            { "polling", "flag" },
        },
    },
    [10] = {
        path = "kingd.pong",
        fields = {
            { "echo", "u32" },
            { "lease_ms", "u32" },
        },
    },
    [11] = {
        path = "kingd.offer",
        fields = {
            { "ballot_term", "u64" },
            { "ballot_node", "id" },
            { "reason", "reason" },
            { "keep_ms", "u32" },
        },
    },
    [12] = {
        path = "kingd.ready",
        fields = {
            { "ballot_term", "u64" },
            { "ballot_node", "id" },
            { "reason", "reason" },
            { "silent_count", "u8" },
        },
        part = { name = "silent", counted_by = "silent_count",
            most = 8, fields = {
                { "node", "id" },
            },
        },
    },
    [13] = {
        path = "kingd.survey",
        fields = {
            { "nonce", "id" },
        },
    },
    [14] = {
        path = "kingd.report",
        fields = {
            { "echo", "id" },
            { "node_name", "text" },
            { "leader_name", "text" },
        },
    },
    [15] = {
        path = "kingd.obituary",
        fields = {
        },
    },
    [16] = {
        path = "kingd.roster",
        fields = {
            { "alive", "u16" },
            { "entries_count", "u8" },
        },
        part = { name = "entries", counted_by = "entries_count",
            most = 16, fields = {
                { "node", "id" },
                { "session", "id" },
                { "port", "u16" },
                { "host", "text" },
            },
        },
    },
    [17] = {
        path = "kingd.ack",
        fields = {
            { "sequence", "u64" },
        },
    },
    [18] = {
        path = "kingd.trial",
        fields = {
            { "run", "id" },
            { "token", "id" },
            { "number", "u32" },
            { "lane", "u8" },
            { "by", "way" },
            { "back", "way" },
            { "about", "id" },
        },
    },
    [19] = {
        path = "kingd.echo",
        fields = {
            { "run", "id" },
            { "token", "id" },
            { "number", "u32" },
            { "lane", "u8" },
            { "by", "way" },
            { "lag_ms", "u32" },
            { "about", "id" },
            { "state", "u8" },
            { "ways", "u8" },
            { "heard_ms", "u32" },
            { "multicast_ms", "u32" },
            { "contact_ms", "u32" },
            { "port", "u16" },
            { "counts_count", "u8" },
            { "host", "text" },
        },
        part = { name = "counts", counted_by = "counts_count",
            most = 7, fields = {
                { "way", "way" },
                { "got", "u32" },
                { "sent", "u32" },
            },
        },
    },
    [20] = {
        path = "kingd.recall",
        fields = {
            { "nonce", "id" },
            { "before", "u32" },
        },
    },
    [21] = {
        path = "kingd.events",
        fields = {
            { "echo", "id" },
            { "events_count", "u8" },
        },
        part = { name = "events", counted_by = "events_count",
            most = 24, fields = {
                { "number", "u32" },
                { "age_ms", "u64" },
                { "term", "u64" },
                { "kind", "u8" },
                { "reason", "reason" },
                { "was", "u8" },
                { "on", "u8" },
                { "sign", "u8" },
                { "silent_ms", "u32" },
                { "heartbeats", "u16" },
                { "announcements", "u16" },
                { "unanswered", "u16" },
                { "agreed", "u16" },
                { "asked", "u16" },
                { "lasted_ms", "u32" },
                { "leader", "text" },
                { "previous", "text" },
                { "member", "text" },
            },
        },
    },
}
-- end of tables

local proto = Proto("kingd", "kingd leader election")
local SIZES = {
    magic = 2, u8 = 1, bits8 = 1, flag = 1, reason = 1, role = 1, ineligible = 1, way = 1, u16 = 2, bits16 = 2, u32 = 4, digest = 4,
    u64 = 8, id = 8,
}
local HEADER_SIZE, MAC_SIZE = 112, 16
local AT = { version = 2, type = 3, length = 6, source = 16, session = 32, sequence = 48, leader_term = 56, role = 108, key = 109 }

-- The fields, by their filter names.
local known = {}
local function declare(path, kind)
    local name = path:match("[^.]+$")
    if kind == "magic" or kind == "text" then
        known[path] = ProtoField.string(path, name)
    elseif kind == "flag" then
        known[path] = ProtoField.bool(path, name)
    elseif kind == "reason" then
        known[path] = ProtoField.uint8(path, name, base.DEC, REASONS)
    elseif kind == "role" then
        known[path] = ProtoField.uint8(path, name, base.DEC, ROLES)
    elseif kind == "ineligible" then
        known[path] = ProtoField.uint8(path, name, base.DEC, INELIGIBLE)
    elseif kind == "way" then
        known[path] = ProtoField.uint8(path, name, base.DEC, WAYS)
    elseif kind == "u8" and name == "type" then
        known[path] = ProtoField.uint8(path, name, base.DEC, TYPES)
    elseif kind == "u8" then
        known[path] = ProtoField.uint8(path, name)
    elseif kind == "u16" then
        known[path] = ProtoField.uint16(path, name)
    elseif kind == "u32" then
        known[path] = ProtoField.uint32(path, name)
    elseif kind == "digest" then
        known[path] = ProtoField.uint32(path, name, base.HEX)
    elseif kind == "u64" then
        known[path] = ProtoField.uint64(path, name)
    elseif kind == "id" then
        known[path] = ProtoField.uint64(path, name, base.HEX)
    else
        local size = kind == "bits8" and 8 or 16
        known[path] = size == 8 and ProtoField.uint8(path, name, base.HEX) or ProtoField.uint16(path, name, base.HEX)
        for number, bit in ipairs(BITS[name]) do
            known[path .. "." .. bit] = ProtoField.bool(path .. "." .. bit, bit, size, nil, 2 ^ (number - 1))
        end
    end
    if kind == "text" then
        known[path .. "_size"] = ProtoField.uint8(path .. "_size", name .. "_size")
    end
end

local function declare_all(prefix, fields)
    for _, field in ipairs(fields) do
        declare(prefix .. field[1], field[2])
    end
end

declare_all("kingd.", HEADER)
for _, body in pairs(BODIES) do
    known[body.path] = ProtoField.none(body.path, body.path:match("[^.]+$"))
    declare_all(body.path .. ".", body.fields)
    if body.part then
        known[body.path .. "." .. body.part.name] = ProtoField.none(body.path .. "." .. body.part.name, body.part.name)
        declare_all(body.path .. "." .. body.part.name .. ".", body.part.fields)
    end
end
known["kingd.rest"] = ProtoField.bytes("kingd.rest", "padding, or fields of a later version")
known["kingd.signature"] = ProtoField.bytes("kingd.signature", "signature")
known["kingd.checksum"] = ProtoField.bytes("kingd.checksum", "checksum")
known["kingd.refused"] = ProtoField.string("kingd.refused", "every daemon refuses it")
local list = {}
for _, field in pairs(known) do
    list[#list + 1] = field
end
proto.fields = list

local refusal = ProtoExpert.new("kingd.refusal", "refused", expert.group.PROTOCOL, expert.severity.WARN)
proto.experts = { refusal }

local function refuse(tree, reason)
    tree:add(known["kingd.refused"], reason):set_generated()
    tree:add_proto_expert_info(refusal, "refused: " .. MEANINGS[reason])
end

-- The same fields from `at` on, not beyond `stop`. Where it ended, and what stood in the small numbers; or nil and the reason
-- for which the codec refuses it.
local function read(tvb, at, stop, prefix, fields, tree)
    local found, wrong = {}, nil
    for _, field in ipairs(fields) do
        local name, kind = field[1], field[2]
        local path = prefix .. name
        if kind == "text" then
            if at + 1 > stop then
                return nil, "truncated"
            end
            local size = tvb(at, 1):uint()
            tree:add(known[path .. "_size"], tvb(at, 1))
            if size > TEXT_SIZE_MAX or at + 1 + size > stop then
                return nil, "truncated"
            end
            tree:add(known[path], tvb(at + 1, size), size > 0 and tvb(at + 1, size):string(ENC_UTF_8) or "")
            at = at + 1 + size
        else
            local size = SIZES[kind]
            if at + size > stop then
                return nil, "truncated"
            end
            local item = tree:add(known[path], tvb(at, size))
            for _, bit in ipairs(BITS[name] or {}) do
                item:add(known[path .. "." .. bit], tvb(at, size))
            end
            if size <= 4 and kind ~= "magic" then
                found[name] = tvb(at, size):uint()
            end
            if kind == "reason" and REASONS[found[name]] == nil then
                wrong = wrong or "reason"
            elseif kind == "way" and WAYS[found[name]] == nil then
                wrong = wrong or "way"
            elseif (name == "lease_ms" and found[name] > LEASE_MS_MAX) or (name == "hold_ms" and found[name] > HOLD_MS_MAX) then
                wrong = wrong or "lease"
            end
            at = at + size
        end
    end
    return at, wrong, found
end

local function read_body(tvb, stop, body, tree)
    local at, wrong, found = read(tvb, HEADER_SIZE, stop, body.path .. ".", body.fields, tree)
    if at == nil then
        return HEADER_SIZE, wrong
    end
    local part = body.part
    if part == nil then
        return at, wrong
    end
    local times = found[part.counted_by]
    if part.most == 1 then
        times = times > 0 and 1 or 0
    elseif times > part.most then
        return at, wrong or "count"
    end
    for _ = 1, times do
        local path = body.path .. "." .. part.name
        local item = tree:add(known[path], tvb(at))
        local ended, inner = read(tvb, at, stop, path .. ".", part.fields, item)
        if ended == nil then
            return at, wrong or inner
        end
        item:set_len(ended - at)
        at = ended
    end
    return at, wrong
end

local function is_zero(range)
    return range:uint64() == UInt64(0)
end

-- In the order in which the codec looks.
local function wrong_with_envelope(tvb)
    local size = tvb:reported_len()
    if size > SIZE_MAX then
        return "oversized"
    elseif size < SIZE_MIN then
        return size >= 2 and tvb(0, 2):string() == MAGIC and "truncated" or "magic"
    elseif tvb(0, 2):string() ~= MAGIC then
        return "magic"
    elseif math.floor(tvb(AT.version, 1):uint() / 16) ~= VERSION_MAJOR then
        return "version"
    elseif tvb(AT.length, 2):uint() ~= size then
        return "length"
    elseif tvb(AT.key, 1):uint() ~= 0 and size < SIZE_MIN + MAC_SIZE then
        return "truncated"
    end
end

local function wrong_with_header(tvb, kind)
    if BODIES[kind] == nil then
        return "type"
    elseif tvb:len() < (LEAST[kind] or 0) then
        return "truncated"
    elseif ROLES[tvb(AT.role, 1):uint()] == nil or is_zero(tvb(AT.source, 8)) or is_zero(tvb(AT.session, 8))
        or is_zero(tvb(AT.sequence, 8)) then
        return "header"
    end
end

local function dissect(tvb, pinfo, root)
    pinfo.cols.protocol = "kingd"
    local tree = root:add(proto, tvb())
    local wrong = wrong_with_envelope(tvb)
    if tvb:len() < SIZE_MIN or wrong == "magic" or wrong == "version" or wrong == "oversized" then
        wrong = wrong or "truncated" -- by the capture
        pinfo.cols.info = "refused (" .. wrong .. ")"
        refuse(tree, wrong)
        return
    end
    read(tvb, 0, HEADER_SIZE, "kingd.", HEADER, tree)
    local kind, term = tvb(AT.type, 1):uint(), tvb(AT.leader_term, 8):uint64()
    local name = TYPES[kind] or "type " .. kind
    local info = name .. " from " .. tvb(AT.source, 8):bytes():tohex(true)
    if term > UInt64(0) then
        info = info .. ", its leader's term " .. tostring(term)
    end
    local size = tvb:len()
    local stop = size - (tvb(AT.key, 1):uint() ~= 0 and size >= SIZE_MIN + MAC_SIZE and 2 or 1) * MAC_SIZE
    wrong = wrong or wrong_with_header(tvb, kind)
    if BODIES[kind] ~= nil then
        local body = BODIES[kind]
        local at, inner = read_body(tvb, stop, body, tree:add(known[body.path], tvb(HEADER_SIZE, stop - HEADER_SIZE)))
        wrong = wrong or inner
        if at < stop then
            tree:add(known["kingd.rest"], tvb(at, stop - at))
        end
    end
    if stop + 2 * MAC_SIZE <= size then
        tree:add(known["kingd.signature"], tvb(stop, MAC_SIZE))
    end
    tree:add(known["kingd.checksum"], tvb(size - MAC_SIZE, MAC_SIZE))
    if wrong then
        refuse(tree, wrong)
        info = info .. ", refused (" .. wrong .. ")"
    end
    pinfo.cols.info = info
end

proto.dissector = dissect
DissectorTable.get("udp.port"):add(PORT, proto)
-- A second daemon on a host, and the daemons of `kingctl lab`, have ports of their own.
proto:register_heuristic("udp", function(tvb, pinfo, root)
    if tvb:len() < SIZE_MIN or tvb(0, 2):string() ~= MAGIC then
        return false
    end
    dissect(tvb, pinfo, root)
    return true
end)
