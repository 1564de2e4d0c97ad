"""What Google refuses, each rule a row with its source: `methods.py` lists them, `fields.txt` holds those of single fields."""
