# npm: packs a module, installs it from the local tarball, runs its script.
# needs: /usr/bin/npm
mkdir -p /tmp/lib/bin /tmp/app && cd /tmp/lib
export npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_offline=true
echo '{"name":"greet","version":"1.2.3","main":"index.js","bin":{"greet":"bin/greet.js"}}' > package.json
echo 'module.exports = n => "hello " + n;' > index.js
printf '#!/usr/bin/env node\nconsole.log(require("..")(process.argv[2]));\n' > bin/greet.js; chmod +x bin/greet.js
npm pack --silent
cd /tmp/app; echo '{"name":"app","version":"1.0.0","scripts":{"test":"greet world"}}' > package.json
npm install --silent ../lib/greet-1.2.3.tgz; echo installed $?
ls node_modules node_modules/.bin; npm ls | tail -n +2; npm test --silent
