"""What a request asks for, in one transaction each."""
