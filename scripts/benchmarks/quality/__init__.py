"""How good the answers of code search are: queries whose answers are known."""
