"""Requests and mails to other machines, which may be slow, wrong or hostile."""
