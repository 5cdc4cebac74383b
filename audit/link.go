package audit

// The beginning of a chained event's line, around the engine's name in quotes, the number
// and the MAC:
//
//	{"chain":{"engine":"…","seq":1,"mac":"64 digits"},"eventVersion":…}
const (
	linkEngine = `"chain":{"engine":`
	linkSeq    = `,"seq":`
	linkMAC    = `,"mac":"`
	linkEnd    = `"},`
)
