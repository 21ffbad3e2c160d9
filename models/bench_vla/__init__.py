"""A small vision-language-action model of our own, trained on the scripted expert's demonstrations."""
