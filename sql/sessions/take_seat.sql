-- Waits for the seat of the gate, and holds it until the transaction ends. A lock of a table, since waiting for it takes no snapshot.
lock table howdah.seat in exclusive mode;
