"""Events from their arrival to a batch: taken in, made columns of, told from those that were there before."""
