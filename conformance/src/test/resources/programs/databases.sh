cd /tmp
{ echo 'create table t(a int, b text); begin;'; for i in {1..50000}; do echo "insert into t values($i,'row $i');"; done; echo 'commit; create index i on t(b); select count(*), sum(a) from t; select a from t where b = '"'row 777'"'; pragma integrity_check;'; } | sqlite3 q.db
sqlite3 q.db 'pragma journal_mode=wal; insert into t values(1,2); select count(*) from t;'; ls q.db*
redis-server --port 6399 --unixsocket /tmp/r.sock --save '' --daemonize yes >/dev/null 2>&1; for i in {1..50}; do redis-cli -p 6399 ping >/dev/null 2>&1 && break; sleep 0.1; done
redis-cli -p 6399 set a 1; redis-cli -s /tmp/r.sock incr a; redis-cli -p 6399 lpush l 1 2 3; redis-cli -p 6399 eval 'return redis.call("llen","l")' 0
redis-benchmark -p 6399 -q -n 3000 -c 20 -t set,get --csv 2>/dev/null | cut -d, -f1; redis-benchmark -s /tmp/r.sock -q -n 3000 -c 20 -t get --csv 2>/dev/null | cut -d, -f1
redis-cli -p 6399 dbsize; redis-cli -p 6399 bgsave; sleep 0.5; redis-cli -p 6399 shutdown nosave; sleep 0.2; redis-cli -p 6399 ping 2>&1
