# PostgreSQL 15: initdb, a server, SQL, pgbench with eight clients, crash recovery.
# needs: /usr/bin/pgbench
B=/usr/lib/postgresql/15/bin; D=/tmp/pg; mkdir $D; chown postgres $D
pg() { su postgres -s /bin/sh -c "$1"; }
pg "$B/initdb -D $D -A trust --no-sync -E UTF8 --locale=C.UTF-8" | grep -c ok
echo "listen_addresses='127.0.0.1'" >> $D/postgresql.conf
pg "$B/pg_ctl -D $D -l /tmp/pglog -w -o '-k /tmp' start" | tail -1
q() { psql -h /tmp -U postgres -Atc "$1"; }
q "create table t(i int primary key, s text); insert into t select g, md5(g::text) from generate_series(1,20000) g; select count(*), sum(length(s)) from t"
q "select s from t where i = 777; create index on t(s); analyze t; explain (costs off) select * from t where s = 'x'"
psql -h 127.0.0.1 -U postgres -Atc "select 'over tcp', inet_server_port()"
pgbench -h /tmp -U postgres -i -q postgres >/dev/null 2>&1; echo init $?
pgbench -h /tmp -U postgres -c 8 -j 2 -t 50 postgres 2>&1 | grep 'actually processed\|failed'
pgbench -h 127.0.0.1 -U postgres -S -c 8 -j 2 -t 100 postgres 2>&1 | grep 'actually processed\|failed'
(echo "listen go;"; echo "notify go, 'now';") | psql -h /tmp -U postgres -At | sed 's/PID [0-9]*/PID N/'
q "select count(*) from pgbench_history; begin; lock table t; commit; vacuum full t" 2>&1
q "set max_parallel_workers_per_gather=2; set parallel_setup_cost=0; set parallel_tuple_cost=0; set min_parallel_table_scan_size=0; select count(*) from t where s like '%a%'"
pg "$B/pg_ctl -D $D -m immediate -w stop" | tail -1; pg "$B/pg_ctl -D $D -l /tmp/pglog -w -o '-k /tmp' start" | tail -1
q "select count(*) from t"; pg "$B/pg_ctl -D $D -m fast -w stop" | tail -1; grep -c PANIC /tmp/pglog
