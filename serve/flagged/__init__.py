"""The text of flagged prompts, where the operator asks for it: to be read, labelled, and used for calibration."""
