FROM isol8:ml-more
