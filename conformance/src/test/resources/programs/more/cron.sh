# cron: a crontab's job each minute, in the environment that cron gives it.
# needs: /usr/sbin/cron
echo '* * * * * (echo job; id -un; pwd; echo $SHELL) > /tmp/job.new && mv /tmp/job.new /tmp/job' | crontab - ; crontab -l | wc -l
cron; for i in $(seq 70); do [ -e /tmp/job ] && break; sleep 1; done; cat /tmp/job; pkill cron; sleep 0.3; pgrep -x cron | wc -l
