package llamacpp

// OptionList is the text of options.txt.
var OptionList = optionList
