# nginx: static files, keep-alive, a proxy, reload, and a worker of another user.
# needs: /usr/sbin/nginx
mkdir -p /tmp/www && cd /tmp && echo page > www/index.html && head -c 3000000 /dev/zero | tr '\0' z > www/big && chmod -R a+rX www
cat > n.conf <<'C'
user www-data; worker_processes 2; pid /tmp/n.pid; error_log /tmp/n.err; events { worker_connections 256; }
http { access_log /tmp/n.log; sendfile on; tcp_nopush on; keepalive_timeout 5; client_body_temp_path /tmp/nb; proxy_temp_path /tmp/np; fastcgi_temp_path /tmp/nf; uwsgi_temp_path /tmp/nu; scgi_temp_path /tmp/ns;
 server { listen 127.0.0.1:8080; root /tmp/www; location /up/ { proxy_pass http://127.0.0.1:8081/; } location /st { stub_status; } gzip on; gzip_types *; }
 server { listen 127.0.0.1:8081; listen [::1]:8081; return 200 "backend $request_uri\n"; } }
C
nginx -c /tmp/n.conf -t 2>&1 | grep -c successful; nginx -c /tmp/n.conf; echo started $?
curl -s http://127.0.0.1:8080/; curl -s http://127.0.0.1:8080/up/x; curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/none
curl -s http://127.0.0.1:8080/big | md5sum; curl -s -r 5-9 http://127.0.0.1:8080/big; echo; curl -s --compressed http://127.0.0.1:8080/big | wc -c; curl -s 'http://[::1]:8081/six'
curl -s $(printf 'http://127.0.0.1:8080/?%s ' $(seq 200)) | sort | uniq -c
for i in $(seq 8); do curl -s $(printf 'http://127.0.0.1:8080/big?%s ' 1 2 3) -o /tmp/o$i & done; wait; cat /tmp/o? | wc -c
ps -o user= -C nginx | sort | uniq -c; kill -HUP $(cat n.pid); sleep 1; curl -s http://127.0.0.1:8080/; wc -l < n.log
nginx -c /tmp/n.conf -s quit 2>/dev/null; for i in $(seq 50); do [ -e n.pid ] || break; sleep 0.1; done; ps -C nginx -o pid= | wc -l; grep -c 'alert\|emerg' n.err
