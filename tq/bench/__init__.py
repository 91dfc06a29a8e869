"""`tq bench`: measures a broker, its clients and its workers as real processes, and checks that every task ran."""
