"""`ExchangeServer`: an exchange on loopback, with everything that exchanges do wrong."""
