"""What is to be measured on the day that there is a GPU; see `__main__.py`."""
