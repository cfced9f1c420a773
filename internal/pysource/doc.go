// Package pysource finds the sources of an installed Python program and takes them apart,
// so that what a program accepts is known in milliseconds where asking it would take the
// imports of many seconds.
//
//	pkg := pysource.Package("/venv/bin/vllm", "vllm", "engine/arg_utils.py")
package pysource
