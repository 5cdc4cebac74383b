module github.com/sealring/sealring/bench

go 1.24

require github.com/sealring/sealring v0.0.0

replace github.com/sealring/sealring => ..
