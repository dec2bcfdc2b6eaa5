# MariaDB: makes a data directory, serves SQL over a socket and TCP, InnoDB and Aria, mysqlslap, restart.
# needs: /usr/sbin/mariadbd
D=/tmp/my; mkdir $D; chown mysql $D
mariadb-install-db --no-defaults --user=mysql --datadir=$D --skip-test-db >/tmp/inst 2>&1; echo install $?
start() { mariadbd --no-defaults --user=mysql --datadir=$D --socket=/tmp/my.sock --bind-address=127.0.0.1 --pid-file=/tmp/my.pid >/tmp/mylog 2>&1 & for i in $(seq 100); do mariadb-admin -S /tmp/my.sock ping >/dev/null 2>&1 && break; sleep 0.2; done; }
start; q() { mariadb -S /tmp/my.sock -BN -e "$1" "$2"; }
q "create database d"; q "create table t(i int primary key auto_increment, s varchar(40)) engine=innodb; insert into t(s) select md5(seq) from seq_1_to_20000; select count(*), sum(length(s)) from t; create table a(i int) engine=aria; insert into a values (1),(2); select sum(i) from a" d
q "create user u@'127.0.0.1' identified by 'p'; grant all on d.* to u@'127.0.0.1'"; mariadb -h 127.0.0.1 -u u -pp -BN -e "select current_user(), count(*) from t where s like 'a%'" d
mariadb-slap -S /tmp/my.sock --concurrency=8 --iterations=1 --number-of-queries=400 --auto-generate-sql 2>&1 | grep -c 'Number of clients'
q "start transaction; update t set s='x' where i=5; rollback; select s from t where i=5" d
mariadb-dump -S /tmp/my.sock d t | grep -c 'INSERT INTO'
mariadb-admin -S /tmp/my.sock shutdown; wait; start; q "select count(*) from t" d; mariadb-admin -S /tmp/my.sock shutdown; wait; echo ended $?
grep -ci 'crash\|assert' /tmp/mylog
