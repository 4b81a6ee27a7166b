"""How often the analysis of failures gives false alarms, and how soon it finds a rise: generated histories."""
