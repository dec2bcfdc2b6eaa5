# systemd as pid 1, with the rights of docker run --privileged: units, restarts, slices, timers, the journal.
# pid1: /lib/systemd/systemd --unit=basic.target
# needs: /lib/systemd/systemd
for i in $(seq 60); do [ -S /run/systemd/private ] && break; sleep 0.5; done
exec 2>&1; export SYSTEMD_PAGER= SYSTEMD_COLORS=0
timeout 60 systemctl is-system-running --wait >/dev/null; systemctl list-jobs --no-legend; systemctl is-active basic.target sysinit.target systemd-journald.service dbus.socket; ps -p 1 -o comm=
mkdir -p /run/systemd/system; cd /run/systemd/system
printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo hello from a unit; id -un"\n' >hello.service
printf '[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms\n' >stays.service
printf '[Service]\nUser=nobody\nExecStart=/bin/sh -c "exit 3"\n' >fails.service
printf '[Unit]\nRequires=hello.service\nAfter=hello.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nPrivateTmp=yes\nExecStart=/bin/sh -c "ls /tmp | wc -l"\n' >after.service
systemctl daemon-reload; systemctl start hello.service; systemctl show -p Result,ExecMainStatus hello.service; journalctl -q -u hello.service -o cat | grep -v '^S\|^F\|Deact'
systemctl start stays.service; kill $(systemctl show -P MainPID stays.service); sleep 1; systemctl is-active stays.service; systemctl show -p NRestarts stays.service
systemctl start fails.service; sleep 0.5; systemctl show -p Result,ExecMainStatus fails.service; systemctl is-failed fails.service
systemctl start after.service; systemctl is-active after.service; journalctl -q -u after.service -o cat | grep -c '^0$'
systemctl stop stays.service; systemctl is-active stays.service; pgrep -fc 'sleep 1000'
systemd-run -q --wait --pipe echo in a transient unit; systemd-run -q --wait sh -c 'exit 5'; echo $?; systemd-run -q --on-active=1s touch /run/timer; sleep 3; ls /run/timer
systemd-run -q --slice=a-b.slice --unit=inside sleep 50; systemctl show -P ControlGroup inside.service | sed 's,.*/a.slice,/a.slice,'; systemctl kill inside.service; sleep 0.5; systemctl is-active inside.service; busctl --no-pager list --unique | grep -c systemd; hostnamectl --static 2>/dev/null | wc -l; loginctl list-sessions --no-legend | wc -l
