"""Sources of the crops' pixels: the image files, packed copies of them, or packed copies in the memory of a GPU.

All three give the same pixels to the bit. `image_source` states the interface and decodes files, `packing` writes
packed copies, `packed` reads them, `gpu_cache` crops whole batches on a device, `choice` chooses among them.
"""
