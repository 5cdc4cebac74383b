package keyrecord

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A key is stored in up to three records:
//
//	KeyName        what is small: a change of what copies share writes it in each Region
//	LocalName      what is large and belongs to one Region, [Local]
//	MaterialsName  the material of a multi-Region key, once for all of its copies
//
// A key that has nothing local has no local record. Imported material belongs to a
// Region, and that of a key without copies changes with nothing else: both stand in
// the first record. Every change of one of the others changes the first one too, so its
// version in the store tells whether the key has changed.

// Local is what a key has in one Region for itself and that can be large.
type Local struct {
	Description string `json:"description,omitempty"`

	// Policy is the text of the key policy as it was given; empty means AWS's default.
	Policy string `json:"policy,omitempty"`

	// Tags are in the order in which their keys were first set. TagSeq is the
	// highest Seq that was ever given.
	Tags   []Tag  `json:"tags,omitempty"`
	TagSeq uint64 `json:"tagSeq,omitempty"`

	// Aliases are the names, "alias/…", that refer to the key, sorted.
	Aliases []string `json:"aliases,omitempty"`

	// Notes are what importers have said of material that they brought, by its id.
	Notes map[string]string `json:"notes,omitempty"`
}

// empty reports whether there is nothing to store.
func (l *Local) empty() bool {
	return l.Description == "" && l.Policy == "" && l.TagSeq == 0 && len(l.Tags) == 0 && len(l.Aliases) == 0 && len(l.Notes) == 0
}

// localRecord is the record of a Local. Changes is the key's LocalChanges: an older
// record is not taken for the key's.
type localRecord struct {
	Version int    `json:"v"`
	Changes uint64 `json:"changes"`
	Local
}

// materialsRecord is the record of the material that copies share.
type materialsRecord struct {
	Version   int        `json:"v"`
	Materials []Material `json:"materials"`
}

// LocalName is the store key of what a key has for itself in a Region.
func LocalName(account, region, id string) string {
	return "kms/" + account + "/" + region + "/local/" + id
}

// MaterialsName is the store key of the material that the copies of a multi-Region key
// share.
func MaterialsName(account, id string) string { return "kms/" + account + "/materials/" + id }

// SharesMaterials reports whether k has its material in common with its copies, or
// would have if there were any.
func (k *Key) SharesMaterials() bool { return k.MultiRegion != nil && k.Origin != OriginExternal }

// ReadKey returns a key put together from its records, which get returns by their store
// keys; ReadKey clears them. It wraps get's errors.
func ReadKey(account, region, id string, get func(name string) ([]byte, error)) (*Key, error) {
	b, err := get(KeyName(account, region, id))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	k, err := UnmarshalKey(b)
	if err != nil {
		return nil, err
	}
	if k.LocalChanges > 0 {
		var r localRecord
		if err := k.readPart(LocalName(account, region, id), get, &r); err != nil {
			return nil, err
		}
		if r.Version != keyVersion || r.Changes != k.LocalChanges {
			return nil, fmt.Errorf("keyrecord: key %s has a local record of format %d after %d changes, not %d after %d",
				id, r.Version, r.Changes, keyVersion, k.LocalChanges)
		}
		k.Local = r.Local
	}
	if k.SharesMaterials() {
		var r materialsRecord
		if err := k.readPart(MaterialsName(account, id), get, &r); err != nil {
			return nil, err
		}
		if r.Version != keyVersion {
			return nil, fmt.Errorf("keyrecord: key %s has materials of format %d, this program knows %d", id, r.Version, keyVersion)
		}
		k.Materials = r.Materials
	}
	return k, k.checkMaterials()
}

// readPart reads one of k's further records.
func (k *Key) readPart(name string, get func(string) ([]byte, error), to any) error {
	b, err := get(name)
	if err != nil {
		return fmt.Errorf("keyrecord: key %s: %s: %w", k.ID, name, err)
	}
	defer clear(b)
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("keyrecord: key %s: %s: %w", k.ID, name, err)
	}
	return nil
}

// Marshal returns the first record of k. The others are those of [Key.MarshalLocal] and
// [Key.MarshalMaterials].
func (k *Key) Marshal() ([]byte, error) {
	k.Version = keyVersion
	if !k.SharesMaterials() {
		return encode(k)
	}
	first := *k
	first.Materials = nil
	return encode(&first)
}

// MarshalLocal returns the record of what k has for itself, and counts it as a change of
// k, whose first record has to be written with it. It returns nil if there is nothing
// and never was.
func (k *Key) MarshalLocal() ([]byte, error) {
	if k.LocalChanges == 0 && k.empty() {
		return nil, nil
	}
	k.LocalChanges++
	return encode(&localRecord{keyVersion, k.LocalChanges, k.Local})
}

// MarshalMaterials returns the record of the material that k shares with its copies. It
// returns nil if k does not.
func (k *Key) MarshalMaterials() ([]byte, error) {
	if !k.SharesMaterials() {
		return nil, nil
	}
	return encode(&materialsRecord{keyVersion, k.Materials})
}

func encode(record any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would make six bytes of one, and policies are long
	err := e.Encode(record)
	return b.Bytes(), err
}
