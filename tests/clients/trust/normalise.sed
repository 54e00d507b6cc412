# What is different each time the pages are followed. Everything else must be as the page shows it.
# Moments, and how far they are.
s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z/MOMENT/g
s/in [0-9]+ (seconds|minutes|hours|days)/in A WHILE/g
s/^(angos_[a-z_]*timestamp_seconds.*) [0-9]+$/\1 MOMENT/
# Fingerprints, request ids, and the address of a thread that OpenSSL begins its errors with.
s/\b[0-9a-f]{64}\b/FINGERPRINT/g
s/\b[0-9a-f]{32}\b/REQUEST/g
s/^[0-9A-F]{12,16}:error:/THREAD:error:/
# Versions of OpenSSL, and the lines of its source.
s/OpenSSL\/[0-9][0-9.a-z]*/OpenSSL\/VERSION/g
s/\.c:[0-9]+:/.c:LINE:/
# How often the server has looked at its files, and how often a loop went round.
s/generation=[0-9]+/generation=N/
s/^(angos_tls_handshakes_total.*) [0-9]+$/\1 N/
