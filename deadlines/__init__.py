"""Deadlines of an official notice: kinds, occurrences, working days and the warning ladder. Pure: no Django."""
