// Package compilecache carries what an engine compiled during one start to later starts, also
// of other machines: a [Key] says what it depends on, [Pack] and [Unpack] make one file of a
// folder and a folder of the file, and [Rooms] are the folders, one for each start.
//
//	room, err := rooms.Open(ctx)
//	contents, err := compilecache.Unpack(ctx, file, room.Dir(), key) // or it stays empty
//	…                                                                // the engine starts in it
//	contents, err = compilecache.Pack(ctx, file, room.Dir(), key, keep)
//	err = room.Close()
//
// A pack is a tar file, compressed by gzip, whose first entry "index.json" holds the key and the
// size and SHA-256 of every file. Equal files make equal packs. The digests find damage, not
// attackers: who can write the pack can make the engine run code.
package compilecache
