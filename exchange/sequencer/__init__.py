"""The engine process: frames in, events out, inbox and projector."""
