"""Files that no failure leaves half-written."""
