"""What models are measured with: fixed prompts, the judge, the agreement of lines."""
