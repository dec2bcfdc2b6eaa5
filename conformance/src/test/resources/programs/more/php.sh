# PHP-FPM over a Unix socket (static pool, another user), by FastCGI, with opcache and sessions; php as a command.
# needs: /usr/bin/cgi-fcgi
cd /tmp; mkdir -p w ses; chmod 777 ses; V=$(ls /usr/sbin | grep '^php-fpm[0-9]' | head -1)
cat > w/x.php <<'P'
<?php header('Content-Type: text/plain'); session_save_path('/tmp/ses'); session_id('abc'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
echo "n=", $_SESSION['n'], " ", strlen(file_get_contents('/etc/passwd')) > 0, " ", hash('sha256', 'x'), " ", get_current_user() !== '', " q=", $_GET['q'] ?? '', "\n";
P
chmod -R a+rX w
cat > fpm.conf <<'C'
[global]
pid = /tmp/fpm.pid
error_log = /tmp/fpm.err
[www]
user = www-data
group = www-data
listen = /tmp/fpm.sock
listen.owner = www-data
listen.mode = 0666
pm = dynamic
pm.max_children = 4
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
pm.status_path = /status
C
$V -y /tmp/fpm.conf -D 2>/dev/null; echo started $?; for i in $(seq 50); do [ -S fpm.sock ] && break; sleep 0.1; done
f() { SCRIPT_NAME=$1 SCRIPT_FILENAME=/tmp/w$1 REQUEST_METHOD=GET QUERY_STRING=$2 cgi-fcgi -bind -connect /tmp/fpm.sock | tail -1; }
f /x.php q=1; f /x.php q=2; for i in $(seq 30); do f /x.php q=3 & done | grep -c 'q=' ; wait; f /x.php q=last
ps -o user= -C $V | sort -u; kill -USR2 $(cat fpm.pid); sleep 1; f /x.php q=re; kill -QUIT $(cat fpm.pid); for i in $(seq 50); do [ -z "$(ps -C $V -o pid=)" ] && break; sleep 0.1; done; ps -C $V -o pid= | wc -l
php -r '$p = proc_open(["cat"], [["pipe","r"],["pipe","w"]], $io); fwrite($io[0], "piped"); fclose($io[0]); echo stream_get_contents($io[1]), proc_close($p), "\n"; $s = stream_socket_server("tcp://127.0.0.1:0"); $c = stream_socket_client("tcp://" . stream_socket_get_name($s, false)); $a = stream_socket_accept($s); fwrite($c, "tcp\n"); echo fgets($a); $t = 0; for ($i = 0; $i < 1000000; $i++) $t += $i % 7; echo $t, "\n";'
grep -c 'ERROR\|ALERT' fpm.err
