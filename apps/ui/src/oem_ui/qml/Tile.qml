import QtQuick

Rectangle {
    id: tile
    required property string title
    required property string value
    required property var theme
    property string note: ""
    property color ink: theme.ink
    property string valueName: ""
    color: theme.panel
    border.color: theme.line
    radius: 8
    implicitHeight: 76
    Accessible.role: Accessible.StaticText
    Accessible.name: title + ": " + value
    Column {
        anchors { fill: parent; leftMargin: 14; rightMargin: 10; topMargin: 11 }
        spacing: 4
        Text { text: tile.title; color: tile.theme.muted; font.pixelSize: 12 }
        Text {
            objectName: tile.valueName
            text: tile.value
            color: tile.ink
            font.pixelSize: 18
            font.weight: Font.DemiBold
            width: parent.width
            elide: Text.ElideRight
        }
        Text {
            text: tile.note; visible: text !== ""
            color: tile.theme.muted; font.pixelSize: 11
            width: parent.width; elide: Text.ElideRight
        }
    }
}
