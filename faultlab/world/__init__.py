"""Simulated worlds: the real services on a virtual clock, in an order that a seed chooses.

Theory of operation. A world has two dispatchers with their rescuers, a follower of chains, three workers and two
clients. All of them are the classes of the service, on a real SQLite database. Only the clock, the broker and the code
of the jobs are simulated. Each of them is an actor, and an actor stops before each of its transactions. The world
chooses which actor goes on, so every interleaving of transactions can happen, and the same seed repeats it. Between two
steps, the world advances the clock, sets it back, kills or stops workers, and loses messages. A transaction can fail
before its commit, or lose the answer of its commit. In the end, everything comes to rest, and `verdict` compares what
the database holds with what the world has seen.
"""
