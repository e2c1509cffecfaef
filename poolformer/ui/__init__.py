"""The page: Gradio components and callbacks of a few lines that call the service."""
