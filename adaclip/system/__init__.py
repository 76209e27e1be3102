"""What any program needs: files, processes, reading, checking. Knows nothing of images or models."""
