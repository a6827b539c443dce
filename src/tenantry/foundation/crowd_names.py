"""What a crowd is called: words for its people and its organizations, all of them plain ASCII, made up for this."""

from __future__ import annotations

GIVEN = """
    Abel Ada Alma Amina Anders Anouk Arlo Asha Beatriz Bilal Bruno Camille Carmen Chidi Clara Dalia Daniel Dario Edda
    Elif Emeka Emil Esther Farah Felix Fiona Gabriel Greta Hana Henrik Hugo Ilse Imani Ines Isak Ivan Jade Jonas Jun
    Kaito Karim Kofi Lara Leila Leon Lena Linus Luca Maeve Malik Marta Mateo Mei Mira Nadia Nils Noor Olga Omar Oskar
    Paula Petra Priya Rafael Ravi Rosa Ruth Samir Selma Sofia Stefan Tariq Tessa Theo Tomas Ulla Vera Viktor Wanda Yara
    Yusuf Zoe
""".split()  # noqa: SIM905  (a hundred words read better as a paragraph)
FAMILIES = """
    Abebe Acosta Alder Amsel Baptiste Barros Becker Berg Bianchi Brandt Castro Cerny Chowdhury Clarke Dahl Danso Deniz
    Diallo Duarte Eriksen Falk Farouk Ferrari Fischer Garnier Gomez Haas Haddad Hale Holm Ibarra Ito Jansen Joshi Kaya
    Keller Khan Kimura Kovac Kumar Lang Larsen Lindqvist Lopez Marin Mbeki Mendes Meyer Mori Moreau Nagy Nakamura Novak
    Nwosu Okafor Olsen Ortega Osei Park Peeters Pereira Petrov Quist Rahman Rasmussen Reyes Rossi Sato Schmitt Silva
    Singh Soto Steiner Tanaka Toth Varga Vidal Vogel Wagner Weber Winter Yilmaz Zeman
""".split()  # noqa: SIM905
PLACES = """
    Alder Amber Anchor Ash Beacon Birch Bluebell Bridge Bright Canal Cedar Clover Copper Corner Crane Drift Eastgate Elm
    Fern Field Flint Foxglove Garden Granite Harbour Hazel Heron Hill Island Juniper Kestrel Lantern Larch Linden Maple
    Marsh Meadow Mill Moss North Oak Orchard Otter Pebble Pine Plover Quarry Quay Raven Reed River Rowan Saffron Sparrow
    Spring Station Stone Summit Tide Tower Valley Walnut Wharf Willow Wren
""".split()  # noqa: SIM905
TRADES = """
    Analytics Architects Bakery Books Brewing Ceramics Coffee Consulting Courier Cycles Dental Design Energy Events
    Farms Finance Foods Freight Gallery Glass Health Homes Insurance Joinery Kitchens Labs Legal Lighting Logistics
    Marine Media Mobility Music Optics Outdoors Paper Partners Pharmacy Physio Print Robotics Roofing Schools Sensors
    Software Studios Textiles Tools Toys Travel Vets Water Works
""".split()  # noqa: SIM905
