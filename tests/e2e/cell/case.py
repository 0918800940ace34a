"""What every test of the cell shares: one cell, and nothing left at the end of a test."""

import unittest
import uuid

cell = None  # set by the program


def name(prefix="c"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class Case(unittest.TestCase):
    def setUp(self):
        self.cell = cell

    def tearDown(self):
        for guid in cell.list():
            answer = cell.delete(guid)
            self.assertIn(answer.status, (200, 404), answer.body)
        self.assertEqual(cell.list(), {})
        self.assertEqual(cell.remaining(), cell.call("GET", "/resources/total").json())
