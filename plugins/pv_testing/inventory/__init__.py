"""What the ERP's stock gets to know: where customers' modules are, and what tests use up. Nothing is sent here."""

from pv_testing.inventory.consumables import draw_records
from pv_testing.inventory.movements import Movement, last_movement, movement_key, movement_record
from pv_testing.inventory.policy import InventoryPolicy

__all__ = ["InventoryPolicy", "Movement", "draw_records", "last_movement", "movement_key", "movement_record"]
