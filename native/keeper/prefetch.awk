# Makes the stub's marshalling table from syscalls.tbl: for each number up to three arguments that the
# stub copies into the context before it hands the call over. What is not here is asked for.
BEGIN {
  size["int"] = size["uint"] = size["fd"] = size["pid"] = size["uid"] = size["gid"] = size["mode"] = 4
  size["long"] = size["ulong"] = size["size"] = size["off"] = size["ptr"] = size["dev"] = size["hex"] = 8
  print "// Generated from syscalls.tbl by prefetch.awk."
  print "static const struct prefetch prefetches[PREFETCH_NUMBERS][3] STUB_DATA = {"
}
/^%struct/ { size[$2] = $3; next }
/^%bytes/ { size[$2] = 1; next }
/^[0-9]/ && $1 < 480 && ($3 == "full" || $3 == "partial") {
  n = 0
  line = ""
  for (arguments[$1] = 0; 4 + arguments[$1] <= NF && $(4 + arguments[$1]) !~ /^[=#]/; arguments[$1]++);
  for (i = 4; i <= NF && n < 3; i++) {
    if ($i == "#") break
    a = i - 4
    entry = ""
    if ($i == "path" || $i == "str") {
      entry = "{PREFETCH_STRING, " a ", 0, 0}"
    } else if ($i ~ /^in:/) {
      t = substr($i, 4)
      if (t in size && size[t] < 256) entry = "{PREFETCH_FIXED, " a ", 0, " size[t] "}"
    } else if ($i ~ /^inout:/) {
      t = substr($i, 7)
      if (t in size && size[t] < 256) entry = "{PREFETCH_FIXED, " a ", 0, " size[t] "}"
    } else if ($i ~ /^(in|inout)\(/ || $i ~ /^iov_(in|out)\(/) {
      if ($i ~ /^iov_/) {
        t = "iovec"
        c = substr($i, index($i, "(") + 1)
      } else {
        body = substr($i, index($i, "(") + 1)
        t = substr(body, 1, index(body, ",") - 1)
        c = substr(body, index(body, ",") + 1)
      }
      sub(/\)$/, "", c)
      if (t == "buf" && c ~ /^a[0-5]$/ && $i ~ /^in\(/) {
        entry = "{PREFETCH_WINDOW, " a ", " substr(c, 2) ", 1}"
      } else if (t == "fdset" || !(t in size)) {
        entry = ""
      } else if (c ~ /^a[0-5]$/) {
        entry = "{PREFETCH_COUNTED, " a ", " substr(c, 2) ", " size[t] "}"
      } else if (c ~ /^[0-9]+$/ && size[t] * c < 256) {
        entry = "{PREFETCH_FIXED, " a ", 0, " size[t] * c "}"
      }
    }
    if (entry != "") {
      line = line (n ? ", " : "") entry
      n++
    }
  }
  if (n) print "    [" $1 "] = {" line "}, // " $2
}
END {
  print "};"
  print "static const unsigned char argument_counts[PREFETCH_NUMBERS] STUB_DATA = {"
  for (nr = 0; nr < 480; nr++) if (nr in arguments) print "    [" nr "] = " arguments[nr] ","
  print "};"
}
