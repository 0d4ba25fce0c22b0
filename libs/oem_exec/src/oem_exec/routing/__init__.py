"""The rooms of the router: submission, cancellation, amendment, kill switch, background."""
