# Apache with the prefork and the event MPM: files, CGI, many clients, graceful restart.
# needs: /usr/sbin/apache2
cd /tmp; mkdir -p www/cgi; echo page > www/index.html; printf '#!/bin/sh\necho Content-Type: text/plain; echo; echo cgi $QUERY_STRING\n' > www/cgi/x; chmod -R a+rX www; chmod a+x www/cgi/x
M=/usr/lib/apache2/modules
for mpm in prefork event; do rm -f a.pid
cat > a.conf <<C
ServerRoot /tmp
ServerName box
PidFile /tmp/a.pid
Listen 127.0.0.1:8080
User www-data
Group www-data
LoadModule mpm_${mpm}_module $M/mod_mpm_$mpm.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule dir_module $M/mod_dir.so
LoadModule cgi_module $M/mod_cgi.so
LoadModule alias_module $M/mod_alias.so
LoadModule mime_module $M/mod_mime.so
TypesConfig /etc/mime.types
ErrorLog /tmp/a.err
DocumentRoot /tmp/www
DirectoryIndex index.html
ScriptAlias /cgi/ /tmp/www/cgi/
<Directory /tmp/www>
Require all granted
</Directory>
C
apache2 -f /tmp/a.conf -k start; echo $mpm $?; for i in $(seq 50); do curl -s -o /dev/null http://127.0.0.1:8080/ && break; sleep 0.1; done
curl -s http://127.0.0.1:8080/; curl -s 'http://127.0.0.1:8080/cgi/x?q'
for i in 1 2 3 4 5 6 7 8; do curl -s $(printf 'http://127.0.0.1:8080/?%s ' $(seq 50)) & done | sort | uniq -c
apache2 -f /tmp/a.conf -k graceful; sleep 1; curl -s http://127.0.0.1:8080/; ps -C apache2 -o user= | sort -u
apache2 -f /tmp/a.conf -k stop; for i in $(seq 80); do [ -z "$(ps -C apache2 -o pid=)" ] && break; sleep 0.1; done; ps -C apache2 -o pid= | wc -l
done; grep -o 'configured -- resuming normal operations\|caught SIGTERM\|AH[0-9]*.*emerg' a.err | sort | uniq -c
