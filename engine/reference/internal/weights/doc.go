// Package weights reads tensors from safetensors files, one file or a sharded set.
//
//	set, err := weights.Open(dir)
//	if err != nil {
//		return err
//	}
//	defer set.Close()
//	t, ok := set.Tensor("model.norm.weight")
//
// A file is read only after its header has been checked against its size. Files are read
// with pread, not mapped, so that one that shrinks while it is read is an error and not a
// crash.
//
// # Errors
//
// Every error is a [*lifecycle.Error]: MissingFile when a file or a shard is not there,
// Corrupt when a header or an index makes no sense.
package weights
