// Package gguf reads the header of a GGUF file, llama.cpp's format, and says whether it can
// be the header of a file of that size, without reading a byte of the tensors: a truncated
// download, a Git LFS pointer and an HTML page are told apart from weights.
//
//	h, err := gguf.Read(file, size)
//	fmt.Println(h.Architecture(), h.Uint("general.file_type"), h.Data)
//
// Versions 2 and 3 are read, little-endian, as llama.cpp does. Lists, such as the
// vocabulary, are skipped. A tensor of an unknown type has to begin within the file only, so
// that a newer file is not refused.
package gguf
