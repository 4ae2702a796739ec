"""Where crops get their pixels from: each time from the image file, from a packed copy, or from one on a GPU.

All three give the same pixels to the bit. `source` states the interface and decodes files, `packing` writes packed
copies, `packed` reads them, `held` keeps one on a device and crops whole batches there, `choice` chooses among them.
"""
