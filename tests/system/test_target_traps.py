"""What goes wrong with a target that is started and stopped by somebody: the lines A3 of docs/acting.md."""

import pytest

from tests.system.followed import lead, until_state
from tests.system.lab import Host, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

WANTED = "\n[Install]\nWantedBy=kingd-leader.target\n"
UNITS = {
    "hangs": "Type=oneshot\nExecStart=sleep 7777",
    "again": "ExecStart=sh -c 'trap \"exit 1\" TERM; while :; do sleep 0.1; done'\nRestart=always\nRestartSec=0",
    "fails": "Type=oneshot\nExecStart=false",
    "masked": "ExecStart=sleep 7777",
    "well": "ExecStart=sleep 7777",
}


@pytest.fixture(scope="module", autouse=True)
def _units(host: Host) -> None:
    for name, text in UNITS.items():
        host.write(f"/etc/systemd/system/{name}.service", f"[Service]\n{text}\n{WANTED}")
    host.run(f"systemctl daemon-reload; systemctl enable {' '.join(UNITS)}")
    host.run("rm /etc/systemd/system/masked.service; systemctl mask masked")
    host.run("ln -s ../gone.service /etc/systemd/system/kingd-leader.target.wants/; systemctl daemon-reload")


def test_a03_a06_a08_hanging_start_restart_failed_masked_and_missing_unit_do_not_keep_it_from_moving(
    host: Host,
) -> None:
    """Each of them ends with leadership, and comes with the next one."""
    for _ in range(2):
        lead(host, leads=False)
        lead(host, leads=True)
        for unit in ("well", "again"):
            until_state(host, f"{unit}.service", "active")
        until_state(host, "hangs.service", "activating")
        until_state(host, "fails.service", "failed")
        lead(host, leads=False)
        until_state(host, "well.service", "inactive")
        for unit in ("hangs", "again"):
            until_state(host, f"{unit}.service", "failed")  # as its end says; it is not started again
    log = host.run("journalctl --unit kingd-leader --output cat")
    assert "Traceback" not in log, log[-3000:]
    assert "gone.service not loaded" in log
    assert "Main process exited" not in log


def test_a07_systemd_may_be_executed_anew_while_it_leads(host: Host) -> None:
    lead(host, leads=True)
    until_state(host, "well.service", "active")
    host.run("systemctl daemon-reexec")
    lead(host, leads=False)
    until_state(host, "well.service", "inactive")
    lead(host, leads=True)
    until_state(host, "well.service", "active")


def test_a02_target_that_somebody_starts_where_this_host_does_not_lead(host: Host) -> None:
    """It is stopped, with its units; and where this host leads the same start harms nothing."""
    lead(host, leads=False)
    until_state(host, "kingd-leader.target", "inactive")
    host.run("systemctl start --no-block kingd-leader.target")
    until(lambda: "somebody started it" in host.run("journalctl --unit kingd-leader --output cat"), "it is noticed")
    for unit in ("kingd-leader.target", "well.service"):
        until_state(host, unit, "inactive")
    lead(host, leads=True)
    until_state(host, "well.service", "active")
    pid = host.show("well.service", "MainPID")
    host.run("systemctl stop again.service; systemctl start --no-block kingd-leader.target")
    until_state(host, "again.service", "active")
    assert host.show("well.service", "MainPID") == pid


def test_start_of_the_target_cancels_no_stop_of_kingd(host: Host) -> None:
    """Leadership came while kingd was being stopped: "Job for kingd.service canceled", and it ran on."""
    lead(host, leads=False)
    host.write(
        "/etc/systemd/system/kingd.service.d/slow.conf",
        "[Service]\nExecStopPost=sh -c 'until test -e /run/goes-on; do sleep 0.1; done'\n",
    )
    host.run("systemctl daemon-reload; systemctl stop --no-block kingd")
    until_state(host, "kingd.service", "deactivating")
    done = host.attempt("python3 -P -c 'from kingd.daemon import target_units; target_units.start()'")
    assert "kingd.service has 'stop' job queued" in done.stderr
    host.run("touch /run/goes-on; systemctl stop kingd")
    assert host.show("kingd.service", "ActiveState") == "inactive"
    host.run("rm -r /etc/systemd/system/kingd.service.d /run/goes-on; systemctl daemon-reload; systemctl start kingd")
