# Redis: append-only file, rewrites and snapshots by fork while clients write, restart from both, Lua, pub/sub, replica.
# needs: /usr/bin/redis-server
mkdir -p /tmp/rd /tmp/rp; cd /tmp
start() { redis-server --port 7000 --dir /tmp/rd --appendonly yes --appendfsync everysec --save '' --daemonize yes --logfile /tmp/rd/log --pidfile /tmp/rd/pid >/dev/null; for i in $(seq 50); do redis-cli -p 7000 ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done; }
c() { redis-cli -p 7000 "$@"; }
start; c eval 'for i=1,20000 do redis.call("set","k"..i,string.rep("v",i%100)) end return redis.call("dbsize")' 0
redis-benchmark -p 7000 -q -n 5000 -c 20 -t set,lpush >/dev/null & b=$!
c bgsave; for i in $(seq 100); do c info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.1; done; c info persistence | grep last_bgsave_status | tr -d '\r'
c bgrewriteaof; for i in $(seq 100); do c info persistence | grep -q 'aof_rewrite_in_progress:0' && break; sleep 0.1; done; c info persistence | grep last_bgrewrite | tr -d '\r'; wait $b; echo bench $?
(redis-cli -p 7000 subscribe ch > sub &) ; sleep 0.5; c publish ch hello; sleep 0.2; tail -1 sub
redis-server --port 7001 --dir /tmp/rp --save '' --replicaof '127.0.0.1 7000' --daemonize yes --logfile /tmp/rp/log --pidfile /tmp/rp/pid >/dev/null; for i in $(seq 100); do [ "$(redis-cli -p 7001 get k99 2>/dev/null)" ] && break; sleep 0.1; done; redis-cli -p 7001 strlen k99; redis-cli -p 7001 shutdown nosave
n=$(c dbsize); kill -9 $(cat /tmp/rd/pid); sleep 0.3; start; [ "$(c dbsize)" = "$n" ] && echo 'all there'; c strlen k77; c shutdown; sleep 0.5; ls rd/dump.rdb rd/appendonlydir 2>/dev/null | wc -l; grep -ci 'crash\|fatal' rd/log rp/log
