"""How the pocket model is made: sprites → world → tokenizer → stages → evaluate → export."""
