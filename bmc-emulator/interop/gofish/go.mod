module gofish-interop

go 1.24

require github.com/stmcginnis/gofish v0.20.0
