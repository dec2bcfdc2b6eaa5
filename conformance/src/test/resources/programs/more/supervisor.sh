# supervisord: starts, restarts, stops and logs programs; its control socket; groups of processes.
# needs: /usr/bin/supervisord
cd /tmp; cat > s.conf <<'C'
[supervisord]
logfile=/tmp/s.log
pidfile=/tmp/s.pid
[unix_http_server]
file=/tmp/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///tmp/s.sock
[program:sleeper]
command=sleep 1000
process_name=%(program_name)s_%(process_num)d
numprocs=3
[program:talker]
command=sh -c 'echo out; echo err >&2; exec sleep 1000'
stdout_logfile=/tmp/t.out
stderr_logfile=/tmp/t.err
user=nobody
startsecs=0
[program:once]
command=sh -c 'echo ran >> /tmp/once'
autorestart=false
startsecs=0
C
supervisord -c s.conf; for i in $(seq 50); do [ $(supervisorctl -c s.conf status | grep -c RUNNING) = 4 ] && break; sleep 0.2; done; supervisorctl -c s.conf status | awk '{print $1, $2}'
kill -9 $(supervisorctl -c s.conf pid sleeper:sleeper_1); for i in $(seq 50); do [ $(supervisorctl -c s.conf status | grep -c RUNNING) = 4 ] && break; sleep 0.2; done; supervisorctl -c s.conf status sleeper:sleeper_1 | awk '{print $1, $2}'; grep -c 'exited: sleeper_1' s.log
cat t.out t.err once; supervisorctl -c s.conf stop talker; supervisorctl -c s.conf restart sleeper:* | sort; supervisorctl -c s.conf shutdown; for i in $(seq 50); do [ -e s.pid ] || break; sleep 0.2; done; pgrep -x sleep | wc -l
