// Package lora reads LoRA adapters as PEFT saves them, without a byte of their weights, and
// holds them against the model that they are for.
//
//	a, err := lora.Read(dir)
//	if err == nil {
//		err = a.Fits(modelDir)
//	}
//	fmt.Println(a.Rank)
//
// Errors are [lifecycle.Error]: MissingFile, Corrupt, and Invalid for what is no LoRA adapter
// or is for another model.
package lora
