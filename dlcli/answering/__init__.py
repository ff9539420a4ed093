"""Opening a trained model and answering inputs with it: one way for the command line, the server and Python."""
