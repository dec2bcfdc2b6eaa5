/extra/go-hello; /extra/go-routines; /extra/java/bin/java -Xmx128m -cp /extra/classes Threads; /extra/java/bin/java -XX:+UseSerialGC -Xshare:auto -cp /extra/classes Threads
